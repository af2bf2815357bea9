# A real OpenID provider of the older kind for tests: the portal of LemonLDAP::NG 2.16 (Debian package
# liblemonldap-ng-portal-perl), with its built-in demonstration accounts (`rtyler`, password `rtyler`). All that it keeps
# is in a temporary folder. It listens on a free loopback port and writes one line of JSON with its address; it ends
# when its standard input does, so that no test leaves one behind.
#
# Not a part of the product, and no example of how to run a provider.

use strict;
use warnings;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON;

my $redirect = shift // 'http://countersign.localhost:8080/sign-in/federated/callback';
my $secret   = 'a-client-secret-for-tests-only-0123456789';

my $socket = IO::Socket::INET->new( Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp' )
  or die "no loopback port: $!";
my $issuer = 'http://127.0.0.1:' . $socket->sockport;

my $folder = tempdir( CLEANUP => 1 );
mkdir "$folder/$_" for qw(conf sessions sessions-lock persistent persistent-lock cache);

require Crypt::OpenSSL::RSA;
my $key = Crypt::OpenSSL::RSA->generate_key(2048);

my $generate = 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256';
my $storage  = sub {
    return { Directory => "$folder/$_[0]", LockDirectory => "$folder/$_[0]-lock", generateModule => $generate };
};
my $cache = { namespace => 'sessions', cache_root => "$folder/cache", cache_depth => 3, default_expires_in => 600 };

my %configuration = (
    cfgNum    => 1,
    cfgAuthor => 'test',
    cfgDate   => time,
    key       => join( '', map { chr( 97 + int rand 26 ) } 1 .. 32 ),
    portal    => "$issuer/",
    domain    => '127.0.0.1',
    # No token in the form and no second question: the person at the keyboard is a test.
    requireToken                       => 0,
    captcha_mail_enabled               => 0,
    captcha_register_enabled           => 0,
    skipRenewConfirmation              => 1,
    securedCookie                      => 0,
    authentication                     => 'Demo',
    userDB                             => 'Same',
    passwordDB                         => 'Null',
    demoExportedVars                   => { cn => 'cn', mail => 'mail', uid => 'uid' },
    whatToTrace                        => '_whatToTrace',
    locationRules                      => { 'application.invalid' => { default => 'deny' } },
    exportedHeaders                    => {},
    macros                             => { _whatToTrace => '$_user' },
    globalStorage                      => 'Apache::Session::File',
    globalStorageOptions               => $storage->('sessions'),
    persistentStorage                  => 'Apache::Session::File',
    persistentStorageOptions           => $storage->('persistent'),
    localSessionStorage                => 'Cache::FileCache',
    localSessionStorageOptions         => $cache,
    issuerDBOpenIDConnectActivation    => 1,
    issuerDBOpenIDConnectPath          => '^/oauth2/',
    issuerDBOpenIDConnectRule          => 1,
    oidcServiceMetaDataIssuer          => $issuer,
    oidcServiceAllowAuthorizationCodeFlow => 1,
    oidcServicePrivateKeySig           => $key->get_private_key_string,
    oidcServicePublicKeySig            => $key->get_public_key_x509_string,
    oidcServiceKeyIdSig                => 'first',
    oidcRPMetaDataOptions              => {
        countersign => {
            oidcRPMetaDataOptionsClientID       => 'countersign',
            oidcRPMetaDataOptionsClientSecret   => $secret,
            oidcRPMetaDataOptionsRedirectUris   => $redirect,
            oidcRPMetaDataOptionsIDTokenSignAlg => 'RS256',
            oidcRPMetaDataOptionsRequirePKCE    => 1,
            oidcRPMetaDataOptionsBypassConsent  => 1,
        },
    },
    oidcRPMetaDataExportedVars => { countersign => { email => 'mail', name => 'cn' } },
);
write_file( "$folder/conf/lmConf-1.json", encode_json( \%configuration ) );
write_file( "$folder/lemonldap-ng.ini", <<"INI");
[all]
logLevel = error
[configuration]
type = File
dirName = $folder/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'configuration', 'default_expires_in' => 600, 'cache_root' => '$folder/cache', 'cache_depth' => 3 }
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
INI
$ENV{LLNG_DEFAULTCONFFILE} = "$folder/lemonldap-ng.ini";

sub write_file {
    my ( $path, $text ) = @_;
    open my $file, '>', $path or die "$path: $!";
    print {$file} $text;
    close $file or die "$path: $!";
}

# Whoever started this is gone when standard input ends.
my $served = $$;
my $watcher = fork // die "no second process: $!";
if ( !$watcher ) {
    close $socket;
    1 while sysread STDIN, my $ignored, 4096;
    kill TERM => $served;
    # Without its clean-up.
    require POSIX;
    POSIX::_exit(0);
}
END { kill KILL => $watcher if $watcher }

# The portal loads this whether or not anything asks for it, and draws nothing here.
$INC{'GD/SecurityImage.pm'} = __FILE__;

require HTTP::Server::PSGI;
require Lemonldap::NG::Portal;
my $portal = Lemonldap::NG::Portal->run( {} );
# After everything that was loaded has had its way with signals: the temporary folder goes at a regular end only.
$SIG{TERM} = sub { exit 0 };
$| = 1;
print encode_json( { issuer => $issuer, client_id => 'countersign', client_secret => $secret } ), "\n";
HTTP::Server::PSGI->new( listen_sock => $socket )->run($portal);
